"""Tables, figures and pages that compare scores."""
