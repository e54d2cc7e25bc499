"""The operator's hands: an API that can move power, who may use it, and the record of who did."""
