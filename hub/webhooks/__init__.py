"""Other programs of the county are told what happens: signed, retried, each attempt on record."""
