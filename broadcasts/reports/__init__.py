"""覆盖与考核: how well villages were reached, in figures that the receipts bear out."""
