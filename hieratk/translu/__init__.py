"""What TransLU adds to a model: new head rows, a frozen source branch, feature adapters, alignment terms."""
