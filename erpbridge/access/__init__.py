"""Who is here and what may they do: accounts, projects, people, levels, the one policy."""
