"""The report of a layout: contrasts of units, their places, and what is clustered beyond chance."""
