"""From a recipe to pairs: recipe, sources, preparation and generation."""
