"""Inventing layouts from statistics: recipes, centres, shapes, stamps and variations."""
