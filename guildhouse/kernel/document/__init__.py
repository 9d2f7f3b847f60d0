"""The document: what the API is, in OpenAPI and on pages, all of it from the declarations."""
