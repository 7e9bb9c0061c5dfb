"""Search: the app's rows as documents of Elasticsearch, OpenSearch or ZincSearch."""
