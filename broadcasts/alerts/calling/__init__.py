"""Call-and-answer (叫应): whoever is responsible is called until somebody confirms."""
