"""From a word to a plan: names, aliases, soft dependencies, commands, options."""
