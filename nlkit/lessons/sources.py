"""What several lessons cite."""

WEB = "Jiang et al. 2020"
TUTORIAL = "the tutorial that the course starts from (MNIST, 80 % noise, 500 clean)"
