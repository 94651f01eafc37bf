"""Generated variants: gallery, memory, swipe and export."""
