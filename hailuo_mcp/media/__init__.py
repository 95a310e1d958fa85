"""Pictures in (`pictures`), clips out (`clips`), and the fetching that never reaches inside (`fetching`)."""
