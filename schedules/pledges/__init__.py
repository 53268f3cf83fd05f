"""Village pledges (村规民约): which village has one to be heard, and when it was heard last."""
