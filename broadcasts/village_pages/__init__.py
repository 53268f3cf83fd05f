"""刚才广播了什么: a village's page for everybody, behind a QR code on paper."""
