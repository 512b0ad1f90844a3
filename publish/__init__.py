"""What is made for a release and is in no package: the picture, the site, the Homebrew formula."""
