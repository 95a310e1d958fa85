"""All models of all gateways, as available to the user: the merged schema, validation, choosing and comparing. Nothing
here sends requests.
"""
