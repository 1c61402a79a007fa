"""Files into a checked configuration: `load` gives a Site, or Invalid with every problem at its line."""

from agent.config.endpoint import canonical, shared
from agent.config.files import Files, configs_dir
from agent.config.load import is_map, load, load_map
from agent.config.problems import Invalid, Problem, Report
from agent.config.recipes import rules_of
from agent.config.schema import map_schema, schema
from agent.config.sections import BufferConfig, GatewayConfig, LogConfig, StatusConfig
from agent.config.site import Site
from agent.config.vocabulary import load_vocabulary

__all__ = [
    "BufferConfig",
    "Files",
    "GatewayConfig",
    "Invalid",
    "LogConfig",
    "Problem",
    "Report",
    "Site",
    "StatusConfig",
    "canonical",
    "configs_dir",
    "is_map",
    "load",
    "load_map",
    "load_vocabulary",
    "map_schema",
    "rules_of",
    "schema",
    "shared",
]
