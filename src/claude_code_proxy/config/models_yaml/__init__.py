"""models.yaml: the models that the server offers."""
