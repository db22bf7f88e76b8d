"""Model families: what a kind of checkpoint can do, and how a request becomes its pipeline's inputs. No torch here."""
