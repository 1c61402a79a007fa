"""Why there is (no) data of a tag: the stages that a value passes, and the first one at which it does not."""
