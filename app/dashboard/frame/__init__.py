"""What surrounds the pages: the window itself, bars, menus, keys, questions and themes."""
