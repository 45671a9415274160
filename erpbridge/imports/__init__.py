"""What the imports of the apps share: a file is uploaded, its rows are shown, then confirmed."""
