"""Pictures of any size in bounded memory: painted in bands of rows, with the statistics of the whole picture."""
