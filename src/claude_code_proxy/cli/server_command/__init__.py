"""server_command"""
