"""The archive that `floorgate backup` makes and `floorgate restore` takes: one file of all that a gateway keeps."""
