"""What residents write to the hub: followed, counted, answered, and a cry for help wakes somebody."""
