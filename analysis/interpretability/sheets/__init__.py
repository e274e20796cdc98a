"""Where features and chosen units lie on a cortical sheet, against permuted and covariance-matched nulls."""
