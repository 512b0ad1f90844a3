"""cc_proxy_json"""
