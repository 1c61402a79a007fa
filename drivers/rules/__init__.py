"""What a tag of any driver can ask of its values, one section of the file each."""
