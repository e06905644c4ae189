package rest

// OpenAPI describes the routes.
func OpenAPI() []byte { return []byte("{}") }
