"""Results as pages: Markdown, HTML, tables and figures."""
