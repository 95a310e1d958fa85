"""Pictures in (`pictures`), clips out (`clips`), clips joined (`films`), and the fetching that never reaches inside
(`fetching`)."""
