"""Whether the hub itself is well: questions, numbers, and the page that shows them."""
