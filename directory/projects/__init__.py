"""Companies on projects."""
