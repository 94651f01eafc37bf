"""The frame of the studio: header, tabs, footer, and what is shown before a slide is open."""
