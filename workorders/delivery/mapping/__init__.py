"""Handing orders over to any system: its requests as templates over the order's document. Pure."""
