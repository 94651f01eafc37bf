"""Results: thumbnail strip, menus, sheets and tables."""
