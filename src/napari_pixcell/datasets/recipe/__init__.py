"""From a recipe to pairs: recipe, plan, sources, preparation and generation."""
