"""Files of other gateways into a site of ours, with an account of what was assumed, changed and not carried."""

from agent.imports.draft import Options
from agent.imports.formats import FORMATS, Imported, convert

__all__ = ["FORMATS", "Imported", "Options", "convert"]
