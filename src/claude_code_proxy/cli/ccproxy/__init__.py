"""ccproxy"""
