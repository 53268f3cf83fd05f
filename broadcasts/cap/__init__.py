"""The Common Alerting Protocol 1.2: read, judge, build and sign documents. Knows no database and no page."""
