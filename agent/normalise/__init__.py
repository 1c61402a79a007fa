"""Turn what a driver read into what the gateway vouches for; compiled once per schema, pure, without I/O."""

from agent.normalise.fit import MAX_TEXT
from agent.normalise.rules import NOTHING, Recipes, Rules
from agent.normalise.steps import Step, Steps

__all__ = ["MAX_TEXT", "NOTHING", "Recipes", "Rules", "Step", "Steps"]
