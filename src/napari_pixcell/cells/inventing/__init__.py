"""Layouts invented from numbers: recipe, centres, shapes, stamps and variations."""
