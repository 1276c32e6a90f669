"""What a run that began in Lorikeet's page needs to go on in PyTorch: its samples, their order, its optimizer, its log."""
