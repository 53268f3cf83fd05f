"""Wall displays (大屏): screens that nobody signs in to, that show how things stand and can do nothing."""
