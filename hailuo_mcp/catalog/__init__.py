"""All models of all gateways as the user may use them: the merged schema, validation, choosing and comparing. Nothing
here sends a request.
"""
