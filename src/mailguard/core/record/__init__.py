"""What is stored of a decision, and how it is explained."""
