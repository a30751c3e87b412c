"""What a person answered to a question by mail, and how the question is known again."""
