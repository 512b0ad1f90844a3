"""models_yaml"""
