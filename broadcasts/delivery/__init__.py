"""The frozen order, its deliveries and their receipts."""
